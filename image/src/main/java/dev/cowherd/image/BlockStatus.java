package dev.cowherd.image;

import org.jspecify.annotations.Nullable;

/**
 * What lies below a run of guest bytes, in the terms of {@code qemu-img map --output=json}: one value of this record is one
 * object of that list.
 *
 * @param offset guest offset of the run in bytes ({@code start})
 * @param length its length in bytes, more than zero
 * @param depth the layer that answers, 0 for the top; where no layer holds the run, the depth of the lowest one asked
 * @param present whether some layer of the chain says what the bytes are
 * @param zero whether the run reads as zeros
 * @param data whether the run's bytes are stored somewhere
 * @param compressed whether they are stored compressed
 * @param hostOffset where they are stored in bytes of {@code fileName}, or -1 if at no single place
 * @param fileName the file that stores them, or null without a {@code hostOffset}
 */
public record BlockStatus(
        long offset,
        long length,
        int depth,
        boolean present,
        boolean zero,
        boolean data,
        boolean compressed,
        long hostOffset,
        @Nullable String fileName) {}
