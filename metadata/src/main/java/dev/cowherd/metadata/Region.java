package dev.cowherd.metadata;

/**
 * What a chain says of a run of guest bytes, for people and clients that ask about allocation; reads ask for an {@link Extent}.
 *
 * @param depth the layer that answers, 0 for the top; the last one asked if none has the bytes
 * @param kind what that layer says; {@link RunKind#UNALLOCATED} if no layer has the bytes
 * @param beyondEnd whether the bytes are zeros because the layer below {@code depth} ends before them; the kind is then
 *     {@link RunKind#UNALLOCATED}
 * @param hostOffset where they start in that layer's guest data file in bytes, or -1 if the kind has no plain host bytes
 * @param length guest bytes, more than zero
 */
public record Region(int depth, RunKind kind, boolean beyondEnd, long hostOffset, long length) {}
