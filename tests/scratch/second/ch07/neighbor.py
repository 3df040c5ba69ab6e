from seq2seq import Seq2seq
