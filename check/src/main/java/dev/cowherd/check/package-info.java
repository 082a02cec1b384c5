/** Checks images by itself, on format and storage only: a second opinion that shares no mapping code. */
@NullMarked
package dev.cowherd.check;

import org.jspecify.annotations.NullMarked;
