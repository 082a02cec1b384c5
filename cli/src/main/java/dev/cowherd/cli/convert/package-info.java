/**
 * Copies what a guest sees of disks into a raw file or device, by several queues at once.
 *
 * <p>Invariants: a byte is written at the offset it was read from, by the thread that read it; where the target reads as
 * zeros already, zeros are not written; a target that this package created does not outlive a failure. It knows disks and
 * storage, not what lies inside an image.
 */
@NullMarked
package dev.cowherd.cli.convert;

import org.jspecify.annotations.NullMarked;
