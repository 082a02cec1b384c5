package dev.cowherd.metadata;

/** Holds the package until its first class. */
final class Placeholder {
    private Placeholder() {}
}
