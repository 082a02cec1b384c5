package dev.cowherd.image;

import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Opens and closes one queue's own handles on the files of a chain. */
final class Handles {
    private Handles() {}

    /** How a queue gets a handle of its own. */
    interface Reopening {
        Storage reopen(Storage shared) throws IOException;
    }

    static void close(List<LayerHandles> handles, Closing closing) {
        for (LayerHandles layer : handles) {
            closing.run(layer.file()::close);
            if (layer.data() != null) {
                closing.run(layer.data()::close);
            }
        }
    }

    /** A handle on each file; all or none. */
    static List<LayerHandles> copy(List<Layer> layers, Reopening how) throws IOException {
        List<LayerHandles> handles = new ArrayList<>();
        try {
            for (Layer layer : layers) {
                handles.add(reopen(layer, how));
            }
            return handles;
        } catch (IOException | RuntimeException | Error e) {
            handles.forEach(opened -> Closing.quietly(e, opened.file(), opened.data()));
            throw e;
        }
    }

    private static LayerHandles reopen(Layer layer, Reopening how) throws IOException {
        Storage file = how.reopen(layer.storage());
        try {
            Storage data = layer.dataStorage();
            return new LayerHandles(file, data == null ? null : how.reopen(data));
        } catch (IOException | RuntimeException | Error e) {
            Closing.quietly(e, file, null);
            throw e;
        }
    }
}
