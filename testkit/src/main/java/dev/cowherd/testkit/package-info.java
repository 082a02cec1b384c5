/** Reference model, hostile images and drivers of real peers, for tests. */
@NullMarked
package dev.cowherd.testkit;

import org.jspecify.annotations.NullMarked;
