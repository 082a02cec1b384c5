/**
 * What tests of several modules share: drivers of the real programs we are measured against, images made by them, and
 * hostile images.
 *
 * <p>Invariants: a missing peer fails a test, it never skips one; everything random comes from a seed that the test
 * prints; nothing here judges an image by the code under test: images are made by QEMU or by bytes put at the offsets
 * that the specification names.
 *
 * <p>It must not know how the engine maps, caches or reads.
 */
@NullMarked
package dev.cowherd.testkit;

import org.jspecify.annotations.NullMarked;
