package dev.cowherd.cli;

import dev.cowherd.format.LuksHeader;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The block {@code encrypt:} of {@code info} for people, in the order of QEMU (which is that of its hash table). */
final class EncryptionText {
    private EncryptionText() {}

    /** Without a LUKS header the image has QEMU's old AES encryption, of which there is nothing more to say. */
    static void append(StringBuilder text, @Nullable LuksHeader luks, boolean compat7) {
        text.append("    encrypt:\n");
        if (luks == null) {
            line(text, "format: ", "aes");
            return;
        }
        line(text, "ivgen alg: ", luks.ivGenerator());
        if (!compat7) {
            line(text, "detached header: ", "false");
        }
        line(text, "hash alg: ", luks.hash());
        line(text, "cipher alg: ", luks.cipherAlgorithm());
        line(text, "uuid: ", luks.uuid());
        if (!luks.ivHash().isEmpty()) {
            line(text, "ivgen hash alg: ", luks.ivHash());
        }
        line(text, "format: ", "luks");
        line(text, "cipher mode: ", luks.cipherMode());
        line(text, "slots:", "");
        List<LuksHeader.Slot> slots = luks.slots();
        for (int i = 0; i < slots.size(); i++) {
            slot(text, i, slots.get(i));
        }
        line(text, "payload offset: ", Long.toString(luks.payloadOffset()));
        line(text, "master key iters: ", Long.toString(luks.masterKeyIterations()));
    }

    private static void slot(StringBuilder text, int index, LuksHeader.Slot slot) {
        line(text, "    [" + index + "]:", "");
        line(text, "        active: ", Boolean.toString(slot.active()));
        if (slot.active()) {
            line(text, "        iters: ", Long.toString(slot.iterations()));
        }
        line(text, "        key offset: ", Long.toString(slot.keyOffset()));
        if (slot.active()) {
            line(text, "        stripes: ", Long.toString(slot.stripes()));
        }
    }

    private static void line(StringBuilder text, String label, String value) {
        text.append("        ").append(label).append(value).append('\n');
    }
}
