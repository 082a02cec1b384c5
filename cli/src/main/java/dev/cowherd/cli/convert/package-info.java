/**
 * Copies what a guest sees of disks into a raw file, a device or a QCOW2 image, by several queues at once.
 *
 * <p>Invariants: a byte is written at the offset it was read from, by the thread that read it; zeros are not written where the
 * target reads as zeros already, nor anything that its backing file shows already; a target that this package created does not
 * outlive a failure. It knows disks and storage, not how an image maps its bytes.
 */
@NullMarked
package dev.cowherd.cli.convert;

import org.jspecify.annotations.NullMarked;
