package dev.cowherd.check;

final class Placeholder {
    private Placeholder() {}
}
