package dev.cowherd.metadata;

/**
 * What a chain says of a run of guest bytes, for people and clients that ask about allocation; reads ask for an {@link Extent}.
 *
 * @param depth the layer that answers, 0 for the top; the last one asked if none has the bytes
 * @param kind what that layer says; one of the unallocated kinds if no layer has the bytes, which then are zeros
 * @param hostOffset where they start in that layer's guest data file in bytes, or -1 if the kind has no plain host bytes
 * @param length guest bytes, more than zero
 */
public record Region(int depth, RunKind kind, long hostOffset, long length) {}
