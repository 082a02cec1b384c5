package dev.cowherd.storage.filter;

/**
 * One operation as it arrives at a filter.
 *
 * @param operation its kind
 * @param offset where it begins in bytes: the new size for {@link Operation#TRUNCATE}, 0 for operations without a place
 * @param length its bytes, 0 for operations without an extent
 */
public record Request(Operation operation, long offset, long length) {
    /**
     * Whether this request touches some byte of a range.
     *
     * @param from the range's first byte
     * @param bytes its length
     * @return true if they overlap
     */
    public boolean touches(long from, long bytes) {
        return offset < from + bytes && from < offset + length;
    }
}
