package dev.cowherd.testkit.lab;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.SplittableRandom;

/** What one operation did to a simulated disk, as far as a power cut is concerned. */
sealed interface Change {
    /** The unit that a disk writes whole or not at all. */
    int SECTOR = 512;

    /** Which of the disks on the same power it happened to. */
    int disk();

    /**
     * Bytes written. They are whole sectors with all that their sectors held after the write, because a disk never writes a part of
     * one: only the last sector of a file may be shorter.
     */
    record Write(int disk, long offset, long length, List<Pages.Piece> pieces) implements Change {
        void landOn(Pages pages) {
            pages.grow(offset + length);
            pieces.forEach(pages::put);
        }

        int sectors() {
            return Math.toIntExact(Math.ceilDiv(length, SECTOR));
        }

        /** Lets some of its sectors land: on or up to a drawn one, or any drawn set. */
        void tearOn(Pages pages, SplittableRandom random) {
            boolean prefix = random.nextBoolean();
            int upTo = random.nextInt(sectors() + 1);
            int i = 0;
            for (Pages.Piece piece : pieces) {
                MemorySegment bytes = MemorySegment.ofArray(piece.bytes);
                for (long from = 0; from < bytes.byteSize(); from += SECTOR) {
                    if (prefix ? i < upTo : random.nextBoolean()) {
                        pages.write(piece.at + from, bytes.asSlice(from, Math.min(SECTOR, bytes.byteSize() - from)));
                    }
                    i++;
                }
            }
        }

        @Override
        public String toString() {
            return "write of disk " + disk + " at " + offset + "+" + length;
        }
    }

    /** Whole sectors zeroed; past the size only where the space is kept. */
    record Zero(int disk, long offset, long length, boolean keep) implements Change {}

    /** The size set. */
    record Resize(int disk, long sizeBytes) implements Change {}

    /** A sync that succeeded: what came before on this disk is durable. */
    record Barrier(int disk) implements Change {}

    /** A sync that failed: what came before and was not durable may land or not, and no later sync changes that. */
    record FailedBarrier(int disk) implements Change {}
}
