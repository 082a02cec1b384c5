package dev.cowherd.image;

final class Placeholder {
    private Placeholder() {}
}
