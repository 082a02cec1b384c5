/** What must stand inside the storage's package to play the kernel under the whole engine. */
@NullMarked
package dev.cowherd.storage.fiber;

import org.jspecify.annotations.NullMarked;
