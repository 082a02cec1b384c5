package dev.cowherd.testkit;

final class Placeholder {
    private Placeholder() {}
}
