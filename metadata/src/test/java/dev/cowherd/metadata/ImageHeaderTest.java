package dev.cowherd.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.Feature;
import dev.cowherd.format.Header;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.Request;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Changes of the header come one after the other, each upon the one before. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ImageHeaderTest {
    /** Holds every write until it is told to go on. */
    private static final class HeldWrites extends InterceptingStorage {
        private final CountDownLatch reached = new CountDownLatch(1);
        private final CountDownLatch released = new CountDownLatch(1);

        HeldWrites(Storage next) {
            super(next);
        }

        @Override
        protected void begin(Request request) {
            if (request.operation() == Operation.WRITE) {
                reached.countDown();
                try {
                    released.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
        }

        @Override
        protected InterceptingStorage around(Storage reopened) {
            throw new UnsupportedOperationException("not needed here");
        }
    }

    /** A refcount table moves while another queue finds the image corrupt: both must be in the header. */
    @Test
    void twoChangesAtOnceAreBothThereAtTheEnd() throws Exception {
        TinyImage image = new TinyImage(3, 9, false, 1 << 20);
        image.file.truncate(128 << 10);
        HeldWrites slow = new HeldWrites(image.file);
        ImageHeader header = new ImageHeader(image.header, new Health("tiny.qcow2"), signal -> {
            // Who comes second waits for the first: only now may that one go on.
            slow.released.countDown();
            Waits.PARK.await(signal);
        });
        ExecutorService other = Executors.newSingleThreadExecutor();
        try {
            Future<?> moved = other.submit(() -> {
                header.change(slow, now -> now.withRefcountTable(64 << 10, 2));
                return null;
            });
            slow.reached.await();
            header.change(image.file, now -> now.withFeature(Feature.CORRUPT, true));
            slow.released.countDown();
            moved.get();
        } finally {
            other.shutdown();
        }
        assertBoth(header.current());
        assertBoth(onDisk(image.file));
    }

    private static Header onDisk(Storage file) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(512);
            file.read(0, bytes);
            return Header.decodeForCheck(bytes.asByteBuffer(), file.sizeBytes());
        }
    }

    private static void assertBoth(Header header) {
        assertThat(header.refcountTableOffset()).isEqualTo(64 << 10);
        assertThat(header.incompatibleFeatures() & Feature.CORRUPT.mask())
                .as("the corrupt bit")
                .isNotZero();
    }
}
