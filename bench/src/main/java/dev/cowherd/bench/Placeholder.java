package dev.cowherd.bench;

final class Placeholder {
    private Placeholder() {}
}
