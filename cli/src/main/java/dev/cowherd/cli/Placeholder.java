package dev.cowherd.cli;

final class Placeholder {
    private Placeholder() {}
}
