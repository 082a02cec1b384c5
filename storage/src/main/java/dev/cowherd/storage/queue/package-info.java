/**
 * Many reads and writes of one thread on host files at once: submitted without waiting, completed in any order. Over a ring where
 * there is one, by blocking calls where there is none or where a storage is not reached through a descriptor (memory,
 * filters), and for the one who submits there is no difference but time.
 *
 * <p>Invariants: every operation that was accepted completes exactly once; short transfers, EINTR and EAGAIN are carried on
 * here and seen by nobody else; a failed operation keeps its errno; after warm-up an operation over a ring allocates nothing.
 * The rules of O_DIRECT hold as in {@link dev.cowherd.storage.Storage}: changes that share a block wait for one another.
 *
 * <p>The package must not know what the bytes mean: nothing of images, clusters or protocols.
 */
@NullMarked
package dev.cowherd.storage.queue;

import org.jspecify.annotations.NullMarked;
