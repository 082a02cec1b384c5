/**
 * The demonstration: makes its own chain of images, reads it by several queues, checks it and serves it, has an overlay on it
 * written by several queues until they are killed, and judges what is left, with every byte verified.
 *
 * <p>What each byte must be is decided by {@link dev.cowherd.cli.demo.DemoContent} alone, before and apart from any image. The
 * writer here is a small one for new images on an empty file; it knows nothing of changing one.
 */
@NullMarked
package dev.cowherd.cli.demo;

import org.jspecify.annotations.NullMarked;
