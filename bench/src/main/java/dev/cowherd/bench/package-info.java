/** Side-by-side benchmarks and their report. */
@NullMarked
package dev.cowherd.bench;

import org.jspecify.annotations.NullMarked;
