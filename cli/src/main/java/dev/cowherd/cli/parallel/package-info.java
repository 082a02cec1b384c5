/**
 * Work on one disk by several queues: threads that fail together, ranges handed out in order, progress for people.
 *
 * <p>Every thread owns what it opens and closes it before it ends. It knows nothing of images: what a thread does is its
 * caller's affair.
 */
@NullMarked
package dev.cowherd.cli.parallel;

import org.jspecify.annotations.NullMarked;
