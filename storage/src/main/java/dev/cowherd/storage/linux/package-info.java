/**
 * The system calls of Linux that storage needs, bound by the foreign function interface.
 *
 * <p>Invariants: a failed call answers minus its errno; no call allocates on the path of reads and writes; EINTR and short
 * transfers end in {@link dev.cowherd.storage.linux.Transfers} and are seen by nobody else. The package knows descriptors and
 * numbers; it must not know of images, options or messages for people.
 */
@NullMarked
package dev.cowherd.storage.linux;

import org.jspecify.annotations.NullMarked;
