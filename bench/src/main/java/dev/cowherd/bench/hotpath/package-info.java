/**
 * JMH benchmarks of single requests, for what a loop of our own does not see: the bytes of heap that a request takes.
 *
 * <p>They are run by the scaling command, each in a JVM of its own, on an image whose clusters are all allocated.
 */
@NullMarked
package dev.cowherd.bench.hotpath;

import org.jspecify.annotations.NullMarked;
