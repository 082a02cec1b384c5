/**
 * How the engine grows with queues and depth, on both engines: a host with latency, the seed's own table and micro set, and the ring
 * against its peers. One command runs all of it, prints tables and draws plots.
 *
 * <p>Every host of the latency runs is memory behind a delay, so that what is measured is the engine and the delay, and nothing of a
 * disk. Nothing here is a test. It must not know how charts are drawn.
 */
@NullMarked
package dev.cowherd.bench.scaling;

import org.jspecify.annotations.NullMarked;
