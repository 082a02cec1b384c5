package dev.cowherd.nbd;

/** Holds the package until its first class. */
final class Placeholder {
    private Placeholder() {}
}
