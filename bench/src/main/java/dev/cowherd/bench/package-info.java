/**
 * Side-by-side benchmarks and their report.
 *
 * <p>Every figure is a ratio of two things measured in turn in one run, because the machines this runs on are shared and
 * drift. Nothing here is a test: a slow machine fails no build.
 */
@NullMarked
package dev.cowherd.bench;

import org.jspecify.annotations.NullMarked;
