package dev.cowherd.nbd;

final class Placeholder {
    private Placeholder() {}
}
