package dev.cowherd.metadata;

import dev.cowherd.storage.Storage;
import org.jspecify.annotations.Nullable;

/**
 * One queue's own handles on the files of one layer.
 *
 * @param file the image file
 * @param data the external data file, or null if the image has none
 */
public record LayerHandles(Storage file, @Nullable Storage data) {
    /**
     * The file that holds the guest's data.
     *
     * @return the data file if there is one, else the image file
     */
    public Storage guestData() {
        return data == null ? file : data;
    }
}
