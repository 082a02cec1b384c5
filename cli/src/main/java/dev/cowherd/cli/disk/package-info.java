/**
 * Disks as qemu-img's commands see them: in whole sectors, and several end to end as one.
 *
 * <p>A reader belongs to one thread; the disks are shared.
 */
@NullMarked
package dev.cowherd.cli.disk;

import org.jspecify.annotations.NullMarked;
