package dev.cowherd.image;

/** Holds the package until its first class. */
final class Placeholder {
    private Placeholder() {}
}
