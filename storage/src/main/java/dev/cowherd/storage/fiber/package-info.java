/**
 * The ring engine: code that calls a {@link dev.cowherd.storage.Storage} and waits for the answer, run so that waiting costs no thread.
 *
 * <p>A piece of work runs on a <em>fiber</em>: a stack of its own that one thread mounts and leaves. Where a file on a plain thread makes
 * a system call, a file that was {@linkplain dev.cowherd.storage.Storage#reopenFor reopened for a loop} prepares a request on the
 * loop's io_uring and leaves the fiber. So whatever is written on storages is written once, and the engines differ in how bytes move
 * alone.
 *
 * <p>Invariants: a loop, its fibers and its ring belong to one platform thread. Each time a fiber is left it is woken once, never more
 * often. No monitor is held where a fiber is left, as none is held over I/O anywhere. Other threads do one thing here: they wake a fiber.
 *
 * <p>It must not know what the work is.
 */
@NullMarked
package dev.cowherd.storage.fiber;

import org.jspecify.annotations.NullMarked;
