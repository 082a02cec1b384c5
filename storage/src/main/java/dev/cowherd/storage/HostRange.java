package dev.cowherd.storage;

/**
 * What the host knows of a run of bytes: backed by data, or a hole that reads as zeros.
 *
 * @param data whether the run may hold bytes other than zero
 * @param length its length in bytes, more than zero
 */
public record HostRange(boolean data, long length) {}
