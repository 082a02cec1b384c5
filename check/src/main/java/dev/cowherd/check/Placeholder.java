package dev.cowherd.check;

/** Holds the package until its first class. */
final class Placeholder {
    private Placeholder() {}
}
