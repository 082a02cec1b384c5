package dev.cowherd.bench;

/** Holds the package until its first class. */
final class Placeholder {
    private Placeholder() {}
}
