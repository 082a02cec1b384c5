/**
 * Measures how fast a disk is read or written by a number of queues, and how long single requests take.
 *
 * <p>Each queue counts for itself and nothing is shared while the clock runs. It prints nothing.
 */
@NullMarked
package dev.cowherd.cli.bench;

import org.jspecify.annotations.NullMarked;
