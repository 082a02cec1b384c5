package dev.cowherd.testkit.lab;

import java.util.List;

/**
 * What may be on the disks when power comes back after one cut.
 *
 * @param cut the instant of the cut, as {@link Power#now()} counts: so many changes had happened
 * @param number which state of its {@link CrashStates} it is, counted from 0
 * @param disks the disks in the order in which they were put on the power; on new power of their own, shared by them, so that a
 *     recovery may be cut too
 * @param description which changes had landed, for messages
 */
public record CrashState(long cut, long number, List<SimStorage> disks, String description) {
    /**
     * The disk, where there is only one.
     *
     * @return the first disk
     */
    public SimStorage disk() {
        return disks.getFirst();
    }
}
