/**
 * Compares what a guest sees of two disks, by several queues at once, and answers with the first difference on the disk.
 *
 * <p>It knows disks, not images, and prints nothing.
 */
@NullMarked
package dev.cowherd.cli.compare;

import org.jspecify.annotations.NullMarked;
