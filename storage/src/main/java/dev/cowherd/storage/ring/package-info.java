/**
 * io_uring: one ring for each thread, over which that thread's reads, writes and socket operations go to the kernel in
 * batches and come back as completions.
 *
 * <p>Invariants: a ring belongs to the thread that opened it, and no other thread touches it; no request and no completion is
 * lost, whatever overflows; what the kernel may still read or write is kept until its completion came, also on close; EINTR,
 * EAGAIN and EBUSY of {@code io_uring_enter} end in {@link dev.cowherd.storage.ring.Ring}; after warm-up an operation allocates
 * nothing. Where the kernel refuses rings, opening one fails with the reason in one line for people.
 *
 * <p>The package must not know what the bytes mean: nothing of images, clusters or protocols.
 */
@NullMarked
package dev.cowherd.storage.ring;

import org.jspecify.annotations.NullMarked;
