/** Pure codecs of the QCOW2 on-disk structures: bytes in, values out, no I/O, no state, no locks. */
@NullMarked
package dev.cowherd.format;

import org.jspecify.annotations.NullMarked;
