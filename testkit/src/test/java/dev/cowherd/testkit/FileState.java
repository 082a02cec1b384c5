package dev.cowherd.testkit;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.zip.CRC32;

/** What must not have changed about a file that was only to be read; of a large one, the first MiB of its bytes. */
record FileState(long sizeBytes, FileTime modified, long sum) {
    static FileState of(Path file) throws IOException {
        BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
        CRC32 sum = new CRC32();
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer bytes = ByteBuffer.allocate(1 << 20);
            while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
                // Until full or at the end.
            }
            sum.update(bytes.flip());
        }
        return new FileState(attributes.size(), attributes.lastModifiedTime(), sum.getValue());
    }
}
