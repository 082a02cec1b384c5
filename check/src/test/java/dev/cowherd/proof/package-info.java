/**
 * The proof of the write half: the engine under the laboratory's model, power cuts, faults and orders, over the shapes that images
 * have; judged by our own check and by QEMU.
 *
 * <p>Invariants: everything drawn comes from a seed that a failure names; the property {@code cowherd.lab} (profile {@code lab}) asks
 * for the long run. It must not know how the engine maps, caches or allocates.
 */
@NullMarked
package dev.cowherd.proof;

import org.jspecify.annotations.NullMarked;
