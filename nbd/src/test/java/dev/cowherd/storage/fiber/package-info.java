/** What stands between a loop's ring and the kernel in this module's tests. */
@NullMarked
package dev.cowherd.storage.fiber;

import org.jspecify.annotations.NullMarked;
