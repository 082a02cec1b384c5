/** Host bytes: positional I/O on files and devices, image locks, filters. */
@NullMarked
package dev.cowherd.storage;

import org.jspecify.annotations.NullMarked;
