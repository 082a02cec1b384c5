/** A disk and its queues: the library that others embed. */
@NullMarked
package dev.cowherd.image;

import org.jspecify.annotations.NullMarked;
