/** Tests of the check against QEMU's own, and of its limits. */
@NullMarked
package dev.cowherd.check;

import org.jspecify.annotations.NullMarked;
