/** The shared map of an image: L1, L2 slices, and the extents they answer with. */
@NullMarked
package dev.cowherd.metadata;

import org.jspecify.annotations.NullMarked;
