package dev.cowherd.check;

/**
 * What a check found: the numbers of {@code qemu-img check}.
 *
 * @param imageEndOffset the first byte after the last cluster in use, in bytes of the file
 * @param totalClusters clusters of the virtual disk
 * @param checkErrors places that could not be checked
 * @param allocatedClusters clusters of the virtual disk that the active tables map to data
 * @param fragmentedClusters allocated clusters that do not follow their predecessor in the file; compressed ones all count
 * @param compressedClusters allocated clusters that are compressed
 * @param corruptions faults that endanger data
 * @param leaks clusters with a refcount above the references to them: lost space, no danger
 * @param corruptionsFixed corruptions that were repaired
 * @param leaksFixed leaks that were repaired
 */
public record CheckReport(
        long imageEndOffset,
        long totalClusters,
        long checkErrors,
        long allocatedClusters,
        long fragmentedClusters,
        long compressedClusters,
        long corruptions,
        long leaks,
        long corruptionsFixed,
        long leaksFixed) {

    /**
     * Whether a repair changed anything.
     *
     * @return true if a corruption or a leak was repaired
     */
    public boolean anythingFixed() {
        return corruptionsFixed != 0 || leaksFixed != 0;
    }

    /**
     * The same findings, with what a repair before them did.
     *
     * @param repair the report of that repair
     * @return a copy with its numbers of repaired faults
     */
    public CheckReport after(CheckReport repair) {
        return new CheckReport(
                imageEndOffset,
                totalClusters,
                checkErrors,
                allocatedClusters,
                fragmentedClusters,
                compressedClusters,
                corruptions,
                leaks,
                repair.corruptionsFixed,
                repair.leaksFixed);
    }

    /**
     * Whether the image has no fault at all.
     *
     * @return true if nothing is corrupt, leaked or unchecked
     */
    public boolean isClean() {
        return corruptions == 0 && leaks == 0 && checkErrors == 0;
    }
}
