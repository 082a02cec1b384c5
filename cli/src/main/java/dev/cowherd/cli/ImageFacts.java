package dev.cowherd.cli;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.Header;
import dev.cowherd.format.LuksHeader;
import dev.cowherd.format.Snapshot;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code info} says of one image.
 *
 * @param fileName the file as the user or the overlay names it
 * @param format {@code qcow2} or {@code raw}
 * @param protocol how the host holds it, {@code file} or {@code host_device}
 * @param virtualBytes the disk's size in bytes
 * @param fileBytes the file's length in bytes, rounded up to whole sectors
 * @param allocatedBytes the space it takes on the host in bytes
 * @param header the header, null of a raw image
 * @param snapshots its internal snapshots
 * @param bitmaps its persistent bitmaps, as far as they can be relied on to be there
 * @param luks how it is encrypted, null unless with LUKS
 */
record ImageFacts(
        String fileName,
        String format,
        String protocol,
        long virtualBytes,
        long fileBytes,
        long allocatedBytes,
        @Nullable Header header,
        List<Snapshot> snapshots,
        List<BitmapEntry> bitmaps,
        @Nullable LuksHeader luks) {
    /**
     * The backing file as seen from here.
     *
     * @return its name, found from this image's folder unless it is absolute; null without one
     */
    @Nullable
    String fullBackingFile() {
        String name = header == null ? null : header.backingFile();
        if (name == null || name.startsWith("/")) {
            return name;
        }
        return fileName.substring(0, fileName.lastIndexOf('/') + 1).concat(name);
    }
}
