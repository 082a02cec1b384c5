package dev.cowherd.metadata;

final class Placeholder {
    private Placeholder() {}
}
