package dev.cowherd.check;

/** A run of bytes that a structure claims in the file; nothing about it is validated. */
record ByteRange(long offset, long bytes) {}
