package dev.cowherd.metadata;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Feature;
import java.io.IOException;

/**
 * What happens when a change finds the image corrupt (specification: the corrupt bit): it is marked, so that nobody writes it before a
 * repair, and takes no more writes here. Reading goes on. Thread-safe.
 */
final class CorruptMark {
    private final ImageHeader header;
    private final Health health;

    CorruptMark(ImageHeader header, Health health) {
        this.header = header;
        this.health = health;
    }

    /** A step of a change. */
    interface Step {
        void run() throws IOException;
    }

    /** The same with an outcome. */
    interface Question<T> {
        T answer() throws IOException;
    }

    /** Does a step; marks the image if that finds it corrupt. The caller holds no turn. */
    void guard(LayerHandles handles, Step step) throws IOException {
        try {
            step.run();
        } catch (CorruptImageException e) {
            throw mark(e, handles);
        }
    }

    /** Likewise. */
    <T> T ask(LayerHandles handles, Question<T> question) throws IOException {
        try {
            return question.answer();
        } catch (CorruptImageException e) {
            throw mark(e, handles);
        }
    }

    /** Marks the image and answers with what is to be thrown. */
    CorruptImageException mark(CorruptImageException found, LayerHandles handles) {
        boolean first = !health.isStopped();
        health.stop("the image is corrupt (" + found.getMessage() + ")", found);
        if (first && header.current().version() >= 3) {
            try {
                header.change(handles.file(), now -> now.withFeature(Feature.CORRUPT, true));
            } catch (IOException e) {
                found.addSuppressed(e);
            }
        }
        return found;
    }
}
